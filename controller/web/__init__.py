"""The web pages: server-rendered, for people who watch and act. See docs/web.md."""
