"""An EHR that answers from a list, and the pages it answers with."""

import httpx

from connector.fhir.ehr import EhrClient

BASE = "https://ehr.test/r4"


class Server:
    """Answers from a list, and remembers what was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def __call__(self, request):
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, **more):
        return EhrClient(BASE, transport=httpx.MockTransport(self), **{"pause": lambda _: None, **more})


def uid(name):
    return {"resourceType": "Observation", "id": name}


def page(*resources, following=None):
    links = [{"relation": "next", "url": following}] if following else []
    return httpx.Response(200, json={"resourceType": "Bundle", "link": links,
                                     "entry": [{"resource": one} for one in resources]})  # fmt: skip
