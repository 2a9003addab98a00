"""One Twisted Service a module; each can be used in another program without the rest."""
