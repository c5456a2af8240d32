"""How English pages write days and times: as the scripts do, with the clock of exchanges (24 hours)."""

DATE_FORMAT = "M j, Y"
DATETIME_FORMAT = "M j, Y, H:i"
