"""How many users there are, second by second, where a number and a rate cannot say it."""
