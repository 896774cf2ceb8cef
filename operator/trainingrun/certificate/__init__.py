"""The certificate of the progress endpoint, unless the user provides one.

Templates cannot create it, since tools that render them again would change it each time, and no other controller should
be needed for it. So the operator's first replica creates it before it starts, and a Secret keeps it for all others.
It must not be used for anything but this endpoint.
"""
