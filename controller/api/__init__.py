"""The REST interface: shows and accepts, decides nothing. One module of routes and one of schemas for each subject."""
