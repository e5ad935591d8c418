"""What manages the virtual machines, behind one small port."""
