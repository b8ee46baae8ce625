"""
How much pre-training is enough: `PretrainThresholdSearch` and `pretrain_threshold_curve`.

They work with any estimator that has `fit_path`, so nothing here knows of networks or of selections. What is drawn of
them belongs in `plotting`.
"""
