"""What of the documentation is made from the code and from the figures: `make docs`."""
