"""The certificate of the progress endpoint, where nobody else brings one.

Templates cannot make it, since tools that render them anew would change it each time, and no other controller should
be needed for it. So the operator's first replica makes it before it starts, and a Secret keeps it for all others.
It must not be used for anything but this endpoint.
"""
