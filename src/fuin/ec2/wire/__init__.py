"""The Query protocol of EC2: forms with flat numbered lists in, XML out."""
