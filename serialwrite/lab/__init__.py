"""The loopback over all places of a labgrid coordinator: ``serialwrite lab loopback`` (extra ``labgrid``)."""
