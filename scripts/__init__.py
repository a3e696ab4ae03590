"""Journeys made once, and pages made from code."""
