"""The listener: takes radiographs as they come, screens each study once it is complete, and sends the results on."""
