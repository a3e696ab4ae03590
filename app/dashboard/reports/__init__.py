"""What people take away: results and summaries as files, and a page to sign."""
