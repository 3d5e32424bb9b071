"""Data exports: usage and operational data as files, once or on a schedule."""
