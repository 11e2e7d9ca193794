"""The command `twin process`: files in every form, what a run showed, words."""
