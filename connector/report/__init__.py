"""The picture and the PDF a person looks at."""
