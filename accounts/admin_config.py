"""Puts `accounts.admin_site` in the place of Django's admin (INSTALLED_APPS)."""

from django.contrib.admin.apps import AdminConfig


class AuditedAdminConfig(AdminConfig):
    default_site = "accounts.admin_site.AuditedSite"
