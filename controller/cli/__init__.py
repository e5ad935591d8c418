"""The command line ``hostfence``: shows and changes what the controller knows, over its REST interface only.

It imports nothing else of the controller, so that it can be installed alone (extra ``cli``).
"""
