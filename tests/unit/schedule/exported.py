"""Functions that manifests can name."""


def sync(since: str = "yesterday") -> None:
    pass


class Reports:
    @staticmethod
    def send(number: int) -> None:
        pass
