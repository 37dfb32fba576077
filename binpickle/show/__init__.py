"""What people are shown of a file: facts and rows, as text and as HTML."""
