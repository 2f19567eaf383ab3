"""Exchange Online's cmdlets, over REST or PowerShell behind one seam (I/O, sync)."""
