"""What all results share: the HTML page, drawing and wording."""
