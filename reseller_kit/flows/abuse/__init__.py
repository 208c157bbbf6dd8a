"""Use cases of abuse: the operator files a report, the team decides on it, the customer appeals. Moves no money."""
