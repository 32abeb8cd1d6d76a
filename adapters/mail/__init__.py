"""Mail: IMAP in, SMTP out, .eml and .mbox files."""

from adapters.mail.adapter import MailAdapter

__all__ = ["MailAdapter"]
