"""Every setting of SimGame, read top to bottom. Development needs no environment at all.

Variables are listed with their meaning in `.env.example`; a value that cannot be used ends the
process with one sentence that says what would have been right.
"""

from __future__ import annotations

import sys

from csp.constants import NONCE, NONE, SELF

from simgame import bundle, embedded, env, secrets
from simgame.database import roles

BASE_DIR = env.BASE_DIR
HOME = env.home()

# --- who may reach us -------------------------------------------------------------------------
DEBUG = env.flag("SIMGAME_DEBUG")
SECRET_KEY = env.text("SIMGAME_SECRET_KEY") or secrets.made_once(HOME / "keys" / "secret_key")
ALLOWED_HOSTS = env.words("SIMGAME_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.words("SIMGAME_TRUSTED_ORIGINS")
CSRF_FAILURE_VIEW = "simgame.problem.csrf_failure"
SECURE = env.flag("SIMGAME_SECURE")  # behind https: secure cookies and HSTS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = ["^livez$", "^readyz$", "^metrics$"]  # probes ask on the machine itself
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
# Everything under our name is https. Off where the name has parts that are not ours.
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE and env.flag("SIMGAME_HSTS_SUBDOMAINS", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],  # the stream too: ws and wss of the same host are 'self' (CSP 3)
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    }
}

# Other sites whose accounts sign in here: {"github": {"client_id": "…", "secret": "…"}}
SOCIAL = env.mapping("SIMGAME_SOCIAL")
if unknown := [name for name in SOCIAL if not env.is_there(f"allauth.socialaccount.providers.{name}")]:
    raise env.BadSetting(
        "SIMGAME_SOCIAL", ", ".join(unknown), "names of django-allauth's providers, as github"
    )

# --- rooms ------------------------------------------------------------------------------------
INSTALLED_APPS = [
    # It only replaces `runserver`, and costs every other process a second and 20 MB of Twisted.
    *(["daphne"] if "runserver" in sys.argv else []),
    "accounts.admin_config.AuditedAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    *(f"allauth.socialaccount.providers.{name}" for name in SOCIAL),
    "simgame.switches",
    "accounts",
    "realtime",
    "market",
    "trading",
    "ops",
]
if sys.argv[1:2] in (["run_feed"], ["run_exchange"]):
    # They serve no page: without these they need a third less memory, and are back sooner after a kill.
    PAGES = {"daphne", "channels", "csp", "rest_framework", "drf_spectacular"}
    PAGES |= {"trading", "ops"} if sys.argv[1] == "run_feed" else set()
    PAGES |= {app for app in INSTALLED_APPS if app.startswith(("whitenoise", "django.contrib", "allauth"))}
    PAGES |= {"accounts.admin_config.AuditedAdminConfig"}
    PAGES -= {"django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"}
    INSTALLED_APPS = [app for app in INSTALLED_APPS if app not in PAGES]
MIDDLEWARE = [
    "ops.logging.request_id_middleware",
    "accounts.origin.middleware",
    "accounts.wall.viewer_middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "accounts.wall.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.impersonation.middleware",
    "accounts.entrance.middleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "simgame.urls"
ASGI_APPLICATION = "simgame.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ],
        },
    }
]

# --- where the truth lives --------------------------------------------------------------------
# PostgreSQL and Valkey: the given pair, or the embedded one of this checkout (its sockets have a
# fixed place, so every command finds the running services by itself).
DATABASE_URL = env.text("DATABASE_URL") or embedded.database_url(HOME)
REDIS_URL = env.text("REDIS_URL") or embedded.redis_url(HOME)
# Each kind of process logs in as a role of its own, made by `migrate`: docs/security.md, "Roles".
LOGIN = roles.of_process(sys.argv, serves="simgame.asgi" in sys.modules)  # the roof reads settings first
DATABASES = {"default": embedded.django_database(roles.url(DATABASE_URL, LOGIN))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Redis is a hint: short timeouts, so that a hanging one never holds a request.
REDIS_TIMEOUT_S = 0.25
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": embedded.redis_database(REDIS_URL, 1),
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT_S,
            "SOCKET_TIMEOUT": REDIS_TIMEOUT_S,
            "IGNORE_EXCEPTIONS": True,
        },
    }
}

# --- people -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.Player"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/desk/"
LOGOUT_REDIRECT_URL = "/"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 8}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# django-allauth: e-mailed codes, password reset, passkeys, authenticator apps, other sites' accounts
ACCOUNT_ADAPTER = "accounts.adapters.Accounts"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "email"]
ACCOUNT_EMAIL_VERIFICATION = "optional"
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # nobody gets a letter because a stranger typed their address
ACCOUNT_EMAIL_SUBJECT_PREFIX = "SimGame: "
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_MAX_EMAIL_ADDRESSES = 5
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_PRESERVE_USERNAME_CASING = True
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if SECURE else "http"
MFA_ADAPTER = "accounts.adapters.SecondFactors"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # accounts hang on their name, not on an address
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SECURE  # browsers allow it for localhost only
SOCIALACCOUNT_ADAPTER = "accounts.adapters.SocialAccounts"
SOCIALACCOUNT_AUTO_SIGNUP = False  # a person chooses the name that others see
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 3  # seconds: a person waits, and others behind them
SOCIALACCOUNT_PROVIDERS = {name: {"APPS": [app], "OAUTH_PKCE_ENABLED": True} for name, app in SOCIAL.items()}
ACCESS_TOKEN_S = 300
REFRESH_TOKEN_S = 60 * 60 * 24 * 30
REFRESH_GRACE_S = 10  # a rotated refresh token gives the same successor for this long
JWT_KEY_DIR = HOME / "keys" / "jwt"  # RS256 private keys, made at first use
JWT_ISSUER = "simgame"
JWT_AUDIENCE = "simgame-api"

# --- letters ----------------------------------------------------------------------------------
EMAIL_HOST = env.text("EMAIL_HOST")
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
EMAIL_PORT = env.number("EMAIL_PORT", 587, least=1)
EMAIL_HOST_USER = env.text("EMAIL_USER")
EMAIL_HOST_PASSWORD = env.text("EMAIL_PASSWORD")
EMAIL_SECURITY = env.choice("EMAIL_SECURITY", "starttls", "tls", "none")
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL_SECURITY == "starttls", EMAIL_SECURITY == "tls"
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("EMAIL_FROM", "SimGame <simgame@localhost>")

# --- limits (each from the environment, so that a load drill can raise it) ---------------------
ORDER_RATE = env.number("SIMGAME_ORDER_RATE", 50, least=1)  # orders a second per portfolio
REGISTER_RATE = env.number("SIMGAME_REGISTER_RATE", 30, least=1)  # registrations a minute per address
REQUEST_RATE = env.number("SIMGAME_REQUEST_RATE", 50, least=1)  # other requests a second per player
ADDRESS_RATE = env.number("SIMGAME_ADDRESS_RATE", 500, least=1)  # the same of all who share an address
DATA_UPLOAD_MAX_MEMORY_SIZE = 262_144

# --- the market being played ------------------------------------------------------------------
_played = env.running_game(HOME)
WORLD = env.text("SIMGAME_WORLD") or _played.get("world", "seeded")  # newcomers join its Season
SEED = env.number("SIMGAME_SEED", 20_261_101)  # of the seeded market
SEEDED_HOURS = env.text("SIMGAME_SEEDED_HOURS", "always")  # always | venue (09:15 to 15:00)
SEEDED_RULES = env.text("SIMGAME_SEEDED_RULES", "plain")  # plain | cn_a
REPLAY_SPEED = env.number("SIMGAME_REPLAY_SPEED", 1, least=1)  # 1 to 1000
START_CASH = env.text("SIMGAME_START_CASH", "1000000")  # in the world's currency
WAL_DIR = HOME / "wal"  # one folder per world
WAL_FSYNC = env.choice("SIMGAME_WAL_FSYNC", "interval", "always", "never")  # interval: each second
WAL_COMPRESS_HOURS = env.number("SIMGAME_WAL_COMPRESS_HOURS", 24, least=1)  # older segments are packed
WAL_KEEP_HOURS = env.number("SIMGAME_WAL_KEEP_HOURS", 48, least=1)  # older segments are removed
# Worlds of real markets: what they list, who speaks for it (the first that is well), where those are.
CRYPTO_SYMBOLS = env.words(
    "SIMGAME_CRYPTO_SYMBOLS",
    "BTCUSDT,ETHUSDT,BNBUSDT,SOLUSDT,XRPUSDT,DOGEUSDT,ADAUSDT,TRXUSDT,AVAXUSDT,LINKUSDT,"
    "DOTUSDT,LTCUSDT,BCHUSDT,UNIUSDT,NEARUSDT,APTUSDT,ETCUSDT,FILUSDT,ATOMUSDT,XLMUSDT",
)
CRYPTO_SOURCES = env.words("SIMGAME_CRYPTO_SOURCES", "binance,okx")
CN_STOCKS = env.words(
    "SIMGAME_CN_STOCKS",
    "600519.SH,601318.SH,600036.SH,601899.SH,600900.SH,600276.SH,601012.SH,600030.SH,688981.SH,"
    "000858.SZ,000333.SZ,000651.SZ,002594.SZ,002415.SZ,300750.SZ,300059.SZ",
)
CN_STOCK_SOURCES = env.words("SIMGAME_CN_STOCK_SOURCES", "sina,tencent")
CN_FUTURES = env.words("SIMGAME_CN_FUTURES")  # rb2705, IF2612: the world cn-futures
CN_FUTURE_SOURCES = env.words("SIMGAME_CN_FUTURE_SOURCES", "ctp:primary,ctp:backup")
BINANCE_WS = env.text("SIMGAME_BINANCE_WS", "wss://stream.binance.com:9443/stream")
BINANCE_REST = env.text("SIMGAME_BINANCE_REST", "https://api.binance.com")
OKX_REST = env.text("SIMGAME_OKX_REST", "https://www.okx.com")
OKX_WS = env.text("SIMGAME_OKX_WS", "wss://ws.okx.com:8443/ws/v5/public")
SINA_URL = env.text("SIMGAME_SINA_URL", "http://hq.sinajs.cn")
TENCENT_URL = env.text("SIMGAME_TENCENT_URL", "http://qt.gtimg.cn")
TUSHARE_URL = env.text("SIMGAME_TUSHARE_URL", "http://api.tushare.pro")
NATS_URL = env.text("SIMGAME_NATS_URL", "nats://127.0.0.1:4222")
POLL_SECONDS = env.number("SIMGAME_POLL_SECONDS", 3, least=1)
FEED_POLICY = env.choice("SIMGAME_FEED_POLICY", "block", "drop_newest", "drop_oldest")
FEED_QUEUE = env.number("SIMGAME_FEED_QUEUE", 50_000, least=1)  # messages waiting before the policy decides
FEED_CPUS = env.words("SIMGAME_FEED_CPUS")  # of the machine, by number: "2" or "2,3"; none: where Linux likes
NATS_PUBLISH = env.choice("SIMGAME_NATS_PUBLISH", "off", "json", "msgpack")  # ticks to SIMGAME_NATS_URL
RUN_DIR = embedded.run_dir(HOME)  # Unix sockets of feed and exchange

# --- API --------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.PlayerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["simgame.parsing.StrictJson"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttling.PlayerThrottle"],
    "EXCEPTION_HANDLER": "simgame.problem.exception_handler",
    "DEFAULT_SCHEMA_CLASS": "accounts.schema.DoorSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SimGame",
    "DESCRIPTION": "The HTTP API. Words and examples: docs/bots.md; every refusal: docs/errors.md.",
    "VERSION": "1.0.0",  # of the contract: docs/api/README.md
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,  # the same document for everybody
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,  # the values say it
    "POSTPROCESSING_HOOKS": ["simgame.openapi.complete"],
}

# --- background work --------------------------------------------------------------------------
CELERY_BROKER_URL = embedded.celery_url(REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

# --- words, numbers, files --------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_I18N = USE_TZ = True
FORMAT_MODULE_PATH = ["simgame.formats"]
STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
NPM_DIR = HOME / "npm" / "node_modules"  # made by the bootstrap from ops/frontend
BUNDLE_DIR = HOME / bundle.FOLDER  # likewise, of our own scripts and styles
PACKED = {} if DEBUG else bundle.manifest(BUNDLE_DIR)  # empty: the sources are sent one by one
_MADE = {"npm": NPM_DIR, **({bundle.FOLDER: BUNDLE_DIR} if PACKED else {})}
STATICFILES_DIRS = [BASE_DIR / "static", *((name, path) for name, path in _MADE.items() if path.is_dir())]
WHITENOISE_IMMUTABLE_FILE_TEST = rf"^{STATIC_URL}{bundle.FOLDER}/"  # named by what is in them
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# --- what we write down -----------------------------------------------------------------------
LOG_LEVEL = env.text("SIMGAME_LOG_LEVEL", "INFO")
LOGGING_CONFIG = "ops.logging.configure"
LOGGING = {"level": LOG_LEVEL}
