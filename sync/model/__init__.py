"""The canonical CRM model: what the hub itself knows about companies, contacts, leads, deals, goods and contact events."""
