"""What the API says about itself: one OpenAPI 3.1 document, and the page that shows it to people."""
