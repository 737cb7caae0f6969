"""`make cluster-demo`: an installation of many nodes on one machine, what ends in it, and what is left."""
