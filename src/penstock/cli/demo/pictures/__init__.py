"""The story's pictures: plain figures in, inline SVG out."""
