"""Read pixels in threads while the model works on those already read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from napari_cellclip.vocabulary import STAINS, CellClipError

if TYPE_CHECKING:
    from napari_cellclip.plates import Site

SiteRead = tuple[str, NDArray[Any] | str]
"""Site id, and its pixels (5, Y, X) or the reason why there are none."""

READ_AHEAD_BYTES = 256 * 2**20
"""Most memory for pixels that wait: 20 fields of 1080 x 1080 pixels."""
MOST_SITES = 64
"""Most fields that wait, however small they are."""


def read_site(site: Site) -> SiteRead:
    """Read a site; whatever goes wrong becomes a reason, for one bad image must not end a run."""
    try:
        return site.id, site.read(STAINS)
    except CellClipError as error:
        return site.id, str(error)
    except MemoryError:
        raise
    except Exception as error:  # decoders of damaged files raise anything
        return site.id, f"site {site.id} cannot be read: {type(error).__name__}: {error}"


def read_ahead(
    sites: Sequence[Site],
    workers: int,
    most_bytes: int = READ_AHEAD_BYTES,
    read: Callable[[Site], SiteRead] = read_site,
) -> Generator[SiteRead, None, None]:
    """Yield sites in order, as many of them read ahead as memory allows.

    Parameters
    ----------
    sites : sequence of Site
        What to read.
    workers : int
        Threads; 0 reads each site when it is asked for.
    most_bytes : int
        Bounds the memory: so many sites wait that their pixels, if all are as large as the largest so far,
        stay below it; one at least. Before the first is read, one waits for each thread.
    read : callable
        What is done in the threads.

    Yields
    ------
    tuple
        Site id and pixels, or site id and the reason for the failure.
    """
    if workers == 0:
        yield from map(read, sites)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cellclip-read")
    waiting: deque[Future[SiteRead]] = deque()
    largest, most_sites = 0, workers
    try:
        for site in sites:
            waiting.append(pool.submit(read, site))
            while len(waiting) > most_sites:
                found = waiting.popleft().result()
                if not isinstance(found[1], str) and found[1].nbytes > largest:
                    largest = found[1].nbytes
                    most_sites = max(1, min(MOST_SITES, most_bytes // largest))
                yield found
                del found  # or it would wait a turn longer than it is counted
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
