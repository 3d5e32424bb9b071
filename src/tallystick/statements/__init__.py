"""Statements of bills, by time and dimension, and the documents that customers are sent."""
