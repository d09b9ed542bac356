"""The platform-neutral core: what was asked, where, under which settings, and the reply to it."""
