"""Whom we know: the configured providers, by name and by what their tokens say."""

from collections.abc import Iterable, Iterator

from tracker.domain.consent import ProviderId
from tracker.domain.errors import InconsistentRowError, ProviderNotFoundError
from tracker.domain.tracked import TrackedConsent
from tracker.ports import Provider
from tracker.profiles.profile import Kind, Profile


class Providers:
    """The configured providers."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._by_id = {provider.id: provider for provider in providers}
        self._by_issuer = {(p.issuer, p.client_id): p for p in self._by_id.values()}
        self._profiles = {p.profile.name: p.profile for p in self._by_id.values()}

    def __iter__(self) -> Iterator[Provider]:
        """Go through all of them."""
        return iter(self._by_id.values())

    @property
    def profiles(self) -> dict[str, Profile]:
        """The profiles in use, by name."""
        return self._profiles

    def get(self, provider_id: str) -> Provider | None:
        """One of them by its name."""
        return self._by_id.get(ProviderId(provider_id))

    def require(self, provider_id: str) -> Provider:
        """One of them by its name.

        Raises:
            ProviderNotFoundError: None is configured so.
        """
        provider = self.get(provider_id)
        if provider is None:
            raise ProviderNotFoundError(f"No provider is called {provider_id!r} in the configuration.")
        return provider

    def of_issuer(self, issuer: str, client_id: str) -> Provider | None:
        """Whose tokens say this issuer, to the letter, and are for this client of ours."""
        return self._by_issuer.get((issuer, client_id))

    def kind_of(self, consent: TrackedConsent) -> Kind:
        """The rules for a consent that we track.

        Raises:
            ProviderNotFoundError: The configuration no longer has its provider.
            InconsistentRowError: The provider's profile has no such kind any more.
        """
        profile = self.require(consent.provider).profile
        kind = profile.kinds.get(consent.kind)
        if kind is None:
            problem = f"profile {profile.name!r} has no kind {consent.kind!r}"
            raise InconsistentRowError("consent", consent.tracking_id, problem)
        return kind
