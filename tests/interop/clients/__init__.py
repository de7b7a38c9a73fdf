"""The clients, each in a file of its own, all with the interface of `client.Client`."""

from clients.aria2 import Aria2
from clients.libtorrent import Libtorrent
from clients.rqbit import Rqbit
from clients.trackless import Trackless
from clients.transmission import Transmission

CLIENTS = {client.name: client for client in (Trackless, Libtorrent, Aria2, Transmission, Rqbit)}
