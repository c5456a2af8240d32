from accounts.models.audit import AuditEntry, AuditHead
from accounts.models.player import Player
from accounts.models.tokens import ApiKey, Login, RefreshToken, Scope

__all__ = ["ApiKey", "AuditEntry", "AuditHead", "Login", "Player", "RefreshToken", "Scope"]
