from accounts.models.audit import AuditEntry, AuditHead
from accounts.models.player import Player
from accounts.models.tokens import ApiKey, Login, RefreshToken, Scope
from accounts.models.writes import FirstAnswer

__all__ = ["ApiKey", "AuditEntry", "AuditHead", "FirstAnswer", "Login", "Player", "RefreshToken", "Scope"]
