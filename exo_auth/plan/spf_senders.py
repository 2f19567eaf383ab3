"""Well-known senders and what they ask for in SPF (plan, pure): names for `spf generate --add`.

Vendors change their pages; the terms are checked live before they are proposed, and nothing is added that has no record.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sender:
    """One vendor: the word to type, its name, its term, and what else to know."""

    word: str
    name: str
    term: str
    note: str = ""


OWN_BOUNCES = "it can also bounce to a domain of its own: then no SPF term is needed, only its DKIM CNAMEs"

SENDERS = (
    Sender("amazon-ses", "Amazon SES", "include:amazonses.com", OWN_BOUNCES),
    Sender("atlassian", "Atlassian Cloud", "include:_spf.atlassian.net"),
    Sender("brevo", "Brevo (Sendinblue)", "include:spf.brevo.com", OWN_BOUNCES),
    Sender("campaign-monitor", "Campaign Monitor", "include:_spf.createsend.com", OWN_BOUNCES),
    Sender("constant-contact", "Constant Contact", "include:spf.constantcontact.com", OWN_BOUNCES),
    Sender("fastmail", "Fastmail", "include:spf.messagingengine.com"),
    Sender("freshdesk", "Freshdesk", "include:email.freshdesk.com"),
    Sender("google", "Google Workspace", "include:_spf.google.com"),
    Sender("icloud", "iCloud Mail", "include:icloud.com"),
    Sender("mailchimp", "Mailchimp", "include:servers.mcsv.net", OWN_BOUNCES),
    Sender("mailgun", "Mailgun", "include:mailgun.org", OWN_BOUNCES),
    Sender("mailjet", "Mailjet", "include:spf.mailjet.com", OWN_BOUNCES),
    Sender("mandrill", "Mailchimp Transactional", "include:spf.mandrillapp.com", OWN_BOUNCES),
    Sender("mimecast", "Mimecast", "include:_netblocks.mimecast.com"),
    Sender("postmark", "Postmark", "include:spf.mtasv.net", OWN_BOUNCES),
    Sender("salesforce", "Salesforce", "include:_spf.salesforce.com"),
    Sender("sendgrid", "SendGrid", "include:sendgrid.net", OWN_BOUNCES),
    Sender("shopify", "Shopify", "include:shops.shopify.com"),
    Sender("sparkpost", "SparkPost", "include:sparkpostmail.com", OWN_BOUNCES),
    Sender("zendesk", "Zendesk", "include:mail.zendesk.com"),
    Sender("zoho", "Zoho Mail", "include:zoho.com"),
)
BY_WORD = {sender.word: sender for sender in SENDERS}
