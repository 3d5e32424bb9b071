"""HTTP: the routes, who may take them, and how errors and answers look."""
