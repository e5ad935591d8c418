"""From what services say to what a page shows: pure functions to frozen values, without markup."""
