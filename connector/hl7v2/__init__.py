"""The HL7 v2 room: messages of laboratories and radiology systems, over MLLP."""
