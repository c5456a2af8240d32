"""The peer of `bench orders`: an order view as a Django tutorial would write it.

Token authentication, a serializer, a view that locks the account row, checks and reserves the cash,
and stores the order, in one transaction per request. No matching, no fees, no events, no idempotency
beyond a unique constraint: less work than ours does.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

from django.core.asgi import get_asgi_application
from django.db import connection, models, transaction
from django.urls import path
from rest_framework import authentication, exceptions, permissions, serializers, views
from rest_framework.response import Response

application = get_asgi_application()  # before the models: it sets Django up


class Account(models.Model):
    token_hash = models.CharField(max_length=64, unique=True)
    cash = models.DecimalField(max_digits=20, decimal_places=2)
    reserved = models.DecimalField(max_digits=20, decimal_places=2, default=0)

    class Meta:
        app_label = "peer"


class PeerOrder(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    account = models.ForeignKey(Account, models.PROTECT)
    client_order_id = models.CharField(max_length=48)
    symbol = models.CharField(max_length=32)
    side = models.CharField(max_length=4)
    type = models.CharField(max_length=16)
    time_in_force = models.CharField(max_length=3)
    qty = models.DecimalField(max_digits=20, decimal_places=0)
    limit_price = models.DecimalField(max_digits=20, decimal_places=2)
    status = models.CharField(max_length=16, default="new")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "peer"
        constraints = [models.UniqueConstraint(fields=["account", "client_order_id"], name="peer_once")]


class OrderSerializer(serializers.ModelSerializer[PeerOrder]):
    class Meta:
        model = PeerOrder
        exclude = ["account"]
        read_only_fields = ["id", "status", "created_at"]


class TokenAuthentication(authentication.BaseAuthentication):
    def authenticate(self, request: Any) -> tuple[Account, None]:
        given = request.headers.get("Authorization", "").removeprefix("Token ")
        account = Account.objects.filter(token_hash=_hashed(given)).first()
        if account is None:
            raise exceptions.AuthenticationFailed
        return account, None


class Orders(views.APIView):
    authentication_classes = [TokenAuthentication]
    permission_classes = [permissions.AllowAny]

    def post(self, request: Any) -> Response:
        serializer = OrderSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        wanted = serializer.validated_data
        with transaction.atomic():
            account = Account.objects.select_for_update().get(pk=request.user.pk)
            cost = wanted["qty"] * wanted["limit_price"]
            if account.cash - account.reserved < cost:
                raise exceptions.ValidationError("insufficient cash")
            account.reserved += cost
            account.save(update_fields=["reserved"])
            serializer.save(account=account)
        return Response(serializer.data, status=201)


urlpatterns = [path("orders/", Orders.as_view())]


def token(number: int) -> str:
    return f"peer-token-{number}"


def make_tables(accounts: int) -> None:
    """Called by the stage, in the project's own database."""
    with connection.schema_editor() as editor:
        editor.create_model(Account)
        editor.create_model(PeerOrder)
    rows = [Account(token_hash=_hashed(token(n)), cash="10000000000.00") for n in range(accounts)]
    Account.objects.bulk_create(rows)


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
