"""Every state that people can see, as it is sent to the platforms."""
