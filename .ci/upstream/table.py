"""
Which of scikit-learn's test modules run with this package's classes, and which of their tests do not hold, and why.

``replaced`` says what the module imports in whose place, ``at_least`` how many of its tests must pass, so that a
module of which nothing is left is noticed. ``left_out`` names tests as pytest does, ``*`` standing for anything. They
run all the same, and one that passes ends the run: the list can only shrink.
"""

from typing import Any, NamedTuple

import stand_ins


class Module(NamedTuple):
    """One of scikit-learn's test modules."""

    replaced: dict[str, Any]
    at_least: int
    left_out: dict[str, str]


# Reasons that several tests share.
_NO_ITERATIONS = "reads n_iter_ or max_iter: a fit here has two trainings, counted by n_pretrain_ and n_retrain_"
_NO_CONVERGENCE_TEST = (
    "training ends where it is told or where held-out samples say so; max_iter is no failure to converge"
)
_NO_SCORES = "reads validation_scores_; held-out samples are kept as validation_losses of re-training"
_PRIVATE = "reads what only MLPClassifier has inside"
_NOT_WHOLE = "the grid holds values that are no whole numbers: the search goes along a budget, which is counted"
_SEVERAL_PARAMETERS = "the grid has several parameters or none: the search goes along one budget"
_NOT_INCREASING = "the grid repeats a value: numbers of iterations increase"
_NO_REFIT_BY_SCORE = "several scores with refit=False: a threshold needs the one score that refit names"
_TASKS_BY_FOLD = "counts a task for each candidate and split; this search has one for each fold, and its points below"
_THREE_PHASES = "counts the tasks of one flat loop; a fit here has phases, with groups of iterations below"
_DENSE_SCORES = "compares with a log of one flat loop; here an iteration is logged with the dense network of that time"
_BACKWARD = "backward: the selection only adds"
_N_FEATURES = "reads n_features_to_select_, which repeats what support_ says"
_NO_ESTIMATOR = "rests on the estimator that SequentialFeatureSelector scores; here columns are compared with y itself"
_ALL_MODELS = "counts or compares columns or models of all estimators: only those that are chosen are kept"
_PASSTHROUGH = "passthrough: the models' predictions are combined, not the features"
_FINAL = "reads final_estimator_, or what the final estimator says: the selection is in its place"

MODULES = {
    "sklearn.neural_network.tests.test_mlp": Module(
        {
            "sklearn.neural_network.MLPClassifier": stand_ins.mlp_classifier,
            "sklearn.neural_network.MLPRegressor": stand_ins.mlp_regressor,
        },
        at_least=22,
        left_out={
            "test_fit": "sets weights and private state by hand and takes one step from there",
            "test_gradient": "calls the private _backprop on hand-made layers",
            "test_lbfgs_regression[*": "asks that 50 neurons learn 200 samples of pure noise by heart; 30 picks do not",
            "test_lbfgs_classification_maxfun*": "max_fun is of L-BFGS, which is no solver here",
            "test_lbfgs_regression_maxfun*": "max_fun is of L-BFGS, which is no solver here",
            "test_learning_rate_warmstart": _PRIVATE,
            "test_partial_fit_regression": "asks that many partial_fit equal one fit; here each draws new batches",
            "test_partial_fit_errors": "partial_fit is missing with L-BFGS there; every solver here has it",
            "test_nonfinite_params": "the error is about the solver's weights; here about the variance of a feature",
            "test_shuffle": "shuffle=False has no counterpart: batches are always drawn",
            "test_tolerance": "tol on the training loss has no counterpart",
            "test_verbose_sgd": "expects the word Iteration; progress here is told by phase",
            "test_early_stopping[*": _NO_ITERATIONS,
            "test_adaptive_learning_rate": "the adaptive rate has no counterpart",
            "test_warm_start": "a warm start may see fewer classes than it knows",
            "test_warm_start_full_iteration*": _NO_ITERATIONS,
            "test_n_iter_no_change": _PRIVATE,
            "test_n_iter_no_change_inf": _NO_ITERATIONS,
            "test_early_stopping_stratified": "refuses to stratify a class of one sample, which is fitted here",
            "test_mlp_early_stopping_string_labels": _NO_SCORES,
            "test_preserve_feature_names[mlp_classifier]": "y holds one class, of which a classifier can't learn",
            "test_mlp_warm_start_with_early_stopping*": _NO_SCORES,
            "test_mlp_warm_start_no_convergence*": _NO_CONVERGENCE_TEST,
            "test_mlp_partial_fit_after_fit*": "asks that partial_fit refuse early_stopping, which it has here",
            "test_mlp_diverging_loss": _NO_SCORES,
            "test_mlp_vs_poisson_glm_equivalent*": "the Poisson loss has no counterpart",
            "test_minimum_input_sample_size": "asks that two samples be refused, which are fitted here",
        },
    ),
    "sklearn.ensemble.tests.test_stacking": Module(
        {
            "sklearn.ensemble.StackingClassifier": stand_ins.stacking_classifier,
            "sklearn.ensemble.StackingRegressor": stand_ins.stacking_regressor,
        },
        at_least=19,
        left_out={
            "test_stacking_classifier_iris[True-*": _PASSTHROUGH,
            "test_stacking_classifier_iris[False-None-*": _ALL_MODELS,
            "test_stacking_classifier_iris[False-final_estimator1-3]": _ALL_MODELS,
            "test_stacking_classifier_error[y2-*": "the model predicts nothing, which is said before it is fitted",
            "test_stacking_regressor_diabetes[*": _ALL_MODELS,
            "test_stacking_classifier_drop_column_binary_classification": _ALL_MODELS,
            "test_stacking_classifier_drop_binary_prob": _ALL_MODELS,
            "test_stacking_randomness[StackingClassifier]": _ALL_MODELS,
            "test_stacking_prefit[*": _ALL_MODELS,
            "test_get_feature_names_out[True-*": _PASSTHROUGH,
            "test_get_feature_names_out[False-*": _PASSTHROUGH,
            "test_stacking_*_sparse_passthrough[*": _PASSTHROUGH,
            "test_stacking_classifier_error[y3-*": _FINAL,
            "test_stacking_regressor_error[y2-*": _FINAL,
            "test_stacking_cv_influence[*": _FINAL,
            "test_stacking_final_estimator_attribute_error": _FINAL,
            "test_metadata_routing_for_stacking_estimators[*": "passes metadata to predict, for a final estimator",
            "test_stacking_classifier_multilabel_*": "several columns of labels, which have no mean of probabilities",
            "test_stacking_without_n_features_in[*": "expects a property's message where the attribute is missing",
            "test_stacking_with_sample_weight[StackingClassifier]": "expects other labels; here probabilities move",
            "test_stacking_classifier_base_regressor": "a regressor among classifiers, which has no classes",
        },
    ),
    "sklearn.model_selection.tests.test_search": Module(
        {"sklearn.model_selection.GridSearchCV": stand_ins.grid_search},
        at_least=34,
        left_out={
            **dict.fromkeys(
                [
                    "test_grid_search_pipeline_steps",
                    "test_grid_search_no_score",
                    "test_grid_search_score_method",
                    "test_classes__property",
                    "test_grid_search_sparse[*",
                    "test_grid_search_sparse_scoring*",
                    "test_grid_search_precomputed_kernel",
                    "test_refit_callable",
                    "test_refit_callable_invalid_type",
                    "test_refit_callable_out_bound[grid_search*",
                    "test_refit_callable_multi_metric",
                    "test_gridsearch_no_predict",
                    "test_search_cv_results_rank_tie_breaking",
                    "test_search_cv_results_none_param",
                    "test_grid_search_correct_score_results",
                    "test_stochastic_gradient_loss_param",
                    "test_search_train_scores_set_to_false",
                    "test_grid_search_cv_splits_consistency",
                    "test_callable_multimetric_confusion_matrix",
                    "test_callable_multimetric_same_as_list_of_strings",
                    "test_callable_single_metric_same_as_single_string",
                    "test_callable_multimetric_error_on_invalid_key",
                    "test_scalar_fit_param[grid_search*",
                    "test_scalar_fit_param_compat[grid_search*",
                    "test_search_cv_verbose_3*",
                    "test_search_html_repr",
                    "test_search_with_estimators_issue_29157",
                    "test_cv_results_multi_size_array",
                    "test_search_callbacks_with_partial_fit_failures",
                ],
                _NOT_WHOLE,
            ),
            **dict.fromkeys(
                [
                    "test_no_refit",
                    "test_grid_search_one_grid_point",
                    "test_grid_search_cv_results",
                    "test_grid_search_cv_results_multimetric",
                    "test_predict_proba_disabled",
                    "test_custom_run_search",
                    "test_search_cv_using_minimal_compatible_estimator[*-grid_search]",
                    "test_search_estimator_param[grid_search*",
                    "test_cv_results_dtype_issue_29074",
                ],
                _SEVERAL_PARAMETERS,
            ),
            "test_grid_search_bad_param_grid": "the messages of ParameterGrid, which this search does not use",
            "test_grid_search_classifier_all_fits_fail": _NOT_INCREASING,
            "test_callable_multimetric_clf_all_fits_fail": _NOT_INCREASING,
            "test_unsupported_sample_weight_scorer": _NO_REFIT_BY_SCORE,
            "test_callable_multimetric_error_failing_clf": _NO_REFIT_BY_SCORE,
            "test_search_callbacks_no_propagation[search0-*": _TASKS_BY_FOLD,
            "test_search_callbacks_propagation[search0-*": _TASKS_BY_FOLD,
            "test_search_callbacks_receive_sample_weight": "looks for tasks by the names that GridSearchCV gives them",
        },
    ),
    "sklearn.feature_selection.tests.test_sequential": Module(
        {"sklearn.feature_selection.SequentialFeatureSelector": stand_ins.sequential_selector},
        at_least=29,
        left_out={
            "test_bad_n_features_to_select": "asks that as many features as there are be refused, which are kept here",
            "test_n_features_to_select[*-forward]": _N_FEATURES,
            "test_n_features_to_select[*-backward]": _BACKWARD,
            "test_n_features_to_select_auto[forward]": _NO_ESTIMATOR,
            "test_n_features_to_select_auto[backward]": _BACKWARD,
            "test_n_features_to_select_stopping_criterion[forward]": _NO_ESTIMATOR,
            "test_n_features_to_select_stopping_criterion[backward]": _BACKWARD,
            "test_n_features_to_select_float[*-forward]": _N_FEATURES,
            "test_n_features_to_select_float[*-backward]": _BACKWARD,
            "test_sanity[*-backward-*": _BACKWARD,
            "test_nan_support": "missing values, if the estimator takes them; inner products do not",
            "test_unsupervised_model_fit*": "without y there is nothing to approximate",
            "test_forward_neg_tol_error": "tol is a duality gap, of which 0 is one: the message says at least 0",
            "test_backward_neg_tol": _BACKWARD,
            "test_fit_rejects_params_with_no_routing_enabled": "asks that sample_weight be refused; it is known here",
        },
    ),
    "sklearn.feature_selection.tests.test_base": Module(
        {"sklearn.feature_selection.tests.test_base.StepSelector": stand_ins.StepSelector},
        at_least=7,
        left_out={
            "test_output_dataframe": "its last case selects no column at all, and a selection makes at least one pick"
        },
    ),
    "sklearn.tests.test_metaestimators_metadata_routing": Module(
        {"sklearn.model_selection.GridSearchCV": stand_ins.routed_search},
        at_least=8,
        left_out={},
    ),
    "sklearn.callback.tests.test_callback_context": Module(
        {"sklearn.callback.tests._utils.MaxIterEstimator": stand_ins.MaxIterEstimator},
        at_least=17,
        left_out={
            "test_callback_hooks_called*": _THREE_PHASES,
            "test_meta_estimator_autopropagated_callback_hooks_called*": _THREE_PHASES,
            "test_meta_estimator_callback_hooks_called*": _THREE_PHASES,
        },
    ),
    "sklearn.callback.tests.test_callback_support": Module(
        {"sklearn.callback.tests._utils.MaxIterEstimator": stand_ins.MaxIterEstimator},
        at_least=12,
        left_out={"test_function_no_callback_support*": _THREE_PHASES},
    ),
    "sklearn.callback.tests.test_pickle": Module(
        {"sklearn.callback.tests._utils.MaxIterEstimator": stand_ins.MaxIterEstimator},
        at_least=8,
        left_out={},
    ),
    "sklearn.callback.tests.test_progressbar": Module(
        {"sklearn.callback.tests._utils.MaxIterEstimator": stand_ins.MaxIterEstimator},
        at_least=16,
        left_out={"test_progress_during_fit": _THREE_PHASES},
    ),
    "sklearn.callback.tests.test_scoring_monitor": Module(
        {"sklearn.callback.tests._utils.MaxIterEstimator": stand_ins.MaxIterEstimator},
        at_least=3,
        left_out={
            "test_score_after_fit": _DENSE_SCORES,
            "test_logged_values*": _DENSE_SCORES,
            "test_get_logs_include_lineage_ancestor_retrieval*": _THREE_PHASES,
            "test_scoring_monitor_no_callback_support*": _DENSE_SCORES,
        },
    ),
}
