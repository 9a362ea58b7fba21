"""A provider at its desk: answers sold, work recorded, energy shared out, reports and quotes signed."""
