"""Key material: imported, and rotated."""
