"""What comes in: files and bodies of CI systems, read row by row into records or refusals."""
