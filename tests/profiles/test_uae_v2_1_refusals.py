from typing import Any

import pytest
from hypothesis import given

from tests.profiles.json_values import json_values
from tracker.profiles.profile import Refusal, RefusalMeaning, UnreadableMessageError
from tracker.profiles.uae_v2_1 import UAE_V2_1

ANSWERS = {
    "Consent.Invalid": RefusalMeaning.NOT_STAGED,
    "Resource.InvalidFormat": RefusalMeaning.NOT_STAGED,
    "GenericRecoverableError": RefusalMeaning.PASSING,
    "GenericError": RefusalMeaning.PASSING,
    "JWS.InvalidSignature": RefusalMeaning.OUTSIDE,
    "JWE.DecryptionError": RefusalMeaning.OUTSIDE,
    "JWSomething": RefusalMeaning.NOT_STAGED,
}


@pytest.mark.parametrize(("code", "meaning"), ANSWERS.items())
def test_code_has_its_meaning(code: str, meaning: RefusalMeaning) -> None:
    document = {"Errors": [{"Code": code, "Message": "Please call Ahmed"}, {"Code": "GenericError"}]}
    assert UAE_V2_1.read_refusal(document) == Refusal(code=code, meaning=meaning)


@pytest.mark.parametrize("code", [None, 7, "", "a b", "line\nbreak", "x" * 81, ["Generic"], {"Code": "Generic"}])
def test_code_of_another_form_is_none(code: Any) -> None:
    expected = Refusal(code=None, meaning=RefusalMeaning.NOT_STAGED)
    assert UAE_V2_1.read_refusal({"Errors": [{"Code": code}]}) == expected


@given(json_values())
def test_any_document_is_read(document: Any) -> None:
    assert UAE_V2_1.read_refusal(document).meaning in RefusalMeaning
    assert UAE_V2_1.read_refusal({"Errors": document}).meaning in RefusalMeaning
    assert UAE_V2_1.read_refusal({"Errors": [document]}).meaning in RefusalMeaning


@given(json_values())
def test_envelope_of_an_answer_comes_off_or_is_missed(value: Any) -> None:
    claims = {"message": value, "iss": "https://auth.example"}
    if isinstance(value, dict):
        assert UAE_V2_1.open_answer(claims) == value
        return
    with pytest.raises(UnreadableMessageError) as caught:
        UAE_V2_1.open_answer(claims)
    assert caught.value.reason == "message_missing"
