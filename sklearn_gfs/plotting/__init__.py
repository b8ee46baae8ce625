"""
The displays: pictures of a search, of a selection and of a curve.

They hold arrays and draw them. Nothing here computes what is drawn; matplotlib is imported when something is.
"""
