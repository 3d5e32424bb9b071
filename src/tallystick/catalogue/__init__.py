"""What is sold and how its use is measured: products, meters, aggregations."""
