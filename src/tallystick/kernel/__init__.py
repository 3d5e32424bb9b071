"""Values shared by every domain: pure, no input or output."""
