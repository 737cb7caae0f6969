"""What hosts ask and report: Fuin's own actions, which EC2 does not have."""
