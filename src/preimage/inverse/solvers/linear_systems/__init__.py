"""Systems of linear equations of given structure, and how they are solved in batches."""
