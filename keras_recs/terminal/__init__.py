"""What commands share: arguments, tables, JSON, and Markdown with formulas on a terminal."""
